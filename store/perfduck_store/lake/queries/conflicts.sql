-- Ids that have several contents in the rows of source.
select {key}, count(distinct {content}) as contents
from {source}
group by {key}
having contents > 1
order by {key}
limit 100
