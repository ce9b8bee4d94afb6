-- How a function is called in an answer: code without a name is one row for each binary.
create or replace temp macro shown_name(name, dso) as
    case
        when name <> '[unknown]' then name
        when trim(parse_filename(dso), '[]') = 'unknown' then name
        else name || ' in ' || trim(parse_filename(dso), '[]')
    end
