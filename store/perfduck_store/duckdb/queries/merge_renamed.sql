-- What was added, and how it is called here.
select old_name, name
from added
order by name
