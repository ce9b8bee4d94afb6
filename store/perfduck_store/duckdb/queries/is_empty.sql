-- Whether nothing is kept: no recording, and nothing that was given beside recordings.
select
    not exists (from profile)
    and not exists (from elf_function)
    and not exists (from tag_input)
