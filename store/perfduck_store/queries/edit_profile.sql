update profile set
    name = $name,
    work = $work::double,
    work_unit = $work_unit,
    labels = map($label_names::varchar[], $label_values::varchar[]),
where profile_id = $profile_id
