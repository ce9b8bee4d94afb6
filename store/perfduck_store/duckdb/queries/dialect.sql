-- Functions of which DuckDB and Spark have their own (spark/queries/dialect.sql), and what an answer is
-- about: the variables that choose() sets. Macros and not parameters: a view has none. list_contains,
-- not `in (select ...)`: that is a join, and takes twice as long.
create or replace temp macro chosen(key) as getvariable(key)::varchar[];

create or replace temp macro chosen_numbers(key) as getvariable(key)::integer[];

create or replace temp macro is_chosen(profile_id) as
    list_contains(getvariable('profiles')::bigint[], profile_id);

create or replace temp macro run_of(profile_id) as
    (list_position(getvariable('profiles')::bigint[], profile_id) - 1)::integer;

create or replace temp macro profile_of(run) as
    list_extract(getvariable('profiles')::bigint[], run + 1);

create or replace temp macro quotient(dividend, divisor) as dividend // divisor;

create or replace temp macro regexp_like(text, pattern) as regexp_matches(text, pattern);

-- How a function is called in an answer: code without a name is one row for each binary.
create or replace temp macro shown_name(name, dso) as
    case
        when name <> '[unknown]' then name
        when trim(both '[]' from parse_filename(dso)) = 'unknown' then name
        else name || ' in ' || trim(both '[]' from parse_filename(dso))
    end;

-- The functions of a stack, with their place from the leaf.
create or replace temp macro places_of(symbol_ids) as table
select unnest(symbol_ids) as symbol_id, generate_subscripts(symbol_ids, 1) as place;
