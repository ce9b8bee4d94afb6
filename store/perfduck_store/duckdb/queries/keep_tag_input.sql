insert or replace into tag_input by name
select
    $kind as kind,
    $kernel_release as kernel_release,
    $content_hash as content_hash,
    $source as source,
    $content::blob as content,
