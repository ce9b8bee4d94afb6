-- Functions of which DuckDB and Spark have their own (duckdb/queries/dialect.sql): here Spark's.
-- `chosen_values` and the view `chosen_profile` [run, profile_id] say what an answer is about.
declare or replace variable chosen_values map<string, array<string>>;

create or replace temporary function chosen(key string) returns array<string>
return chosen_values[key];

create or replace temporary function chosen_numbers(key string) returns array<int>
return chosen_values[key]::array<int>;

create or replace temporary function is_chosen(id bigint) returns boolean
return exists(select 1 from chosen_profile where chosen_profile.profile_id = id);

create or replace temporary function run_of(id bigint) returns int
return (select max(chosen_profile.run) from chosen_profile where chosen_profile.profile_id = id);

create or replace temporary function profile_of(number int) returns bigint
return (select max(chosen_profile.profile_id) from chosen_profile where chosen_profile.run = number);

create or replace temporary function quotient(dividend bigint, divisor bigint) returns bigint
return dividend div divisor;

create or replace temporary function starts_with(text string, prefix string) returns boolean
return startswith(text, prefix);

create or replace temporary function parse_filename(path string) returns string
return substring_index(replace(path, chr(92), '/'), '/', -1);

-- How a function is called in an answer: code without a name is one row for each binary.
create or replace temporary function shown_name(name string, dso string) returns string
return
    case
        when name <> '[unknown]' then name
        when trim(both '[]' from parse_filename(dso)) = 'unknown' then name
        else name || ' in ' || trim(both '[]' from parse_filename(dso))
    end;

-- The functions of a stack, with their place from the leaf.
create or replace temporary function places_of(symbol_ids array<bigint>)
returns table (symbol_id bigint, place int)
return
    select symbol_id, position + 1
    from (select posexplode(symbol_ids) as (position, symbol_id))
