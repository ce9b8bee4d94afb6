-- Work and labels of a stored recording, where they are given; the rest stays.
update profile set
    work = coalesce($work::double, work),
    work_unit = case when $work::double is null then work_unit else $work_unit end,
    labels = map_concat(labels, map($label_names::varchar[], $label_values::varchar[])),
where content_hash = $content_hash
