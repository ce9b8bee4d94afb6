select kind, source, text
from attachment
order by kind
