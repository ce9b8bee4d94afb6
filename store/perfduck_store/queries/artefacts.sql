-- Functions whose self weight was spent before them, with interrupts off.
select
    symbol.name,
    sum(artefact.weight) as weight,
from artefact
join symbol on symbol.symbol_id = artefact.symbol_id
where artefact.profile_id in (select unnest($profiles::bigint[]))
    and artefact.event = $event
group by symbol.name
order by weight desc, symbol.name
