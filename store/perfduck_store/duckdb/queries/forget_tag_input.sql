delete from tag_input
where kind = $kind
returning kind
