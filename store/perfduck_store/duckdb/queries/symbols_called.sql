-- Functions with these canonical names.
select *
from symbol
where list_contains($names::varchar[], canonical)
