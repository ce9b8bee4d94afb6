-- The function whose name is most like $function, if any is much like it.
select name
from symbol
where name <> '[unknown]' and jaro_winkler_similarity(name, $function) > 0.9
order by jaro_winkler_similarity(name, $function) desc, name
limit 1
