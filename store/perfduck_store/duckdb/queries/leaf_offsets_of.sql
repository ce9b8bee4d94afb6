-- Where in some functions the leaf samples of a profile fell.
select *
from leaf_offset
where profile_id = $profile_id and symbol_id in (select unnest($symbols::bigint[]))
