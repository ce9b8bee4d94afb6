update profile set
    name = $name,
    work = $work::double,
    work_unit = $work_unit,
    kernel_release = $kernel_release,
    labels = map($label_names::varchar[], $label_values::varchar[]),
where profile_id = $profile_id
