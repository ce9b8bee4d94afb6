select free_blocks, used_blocks
from pragma_database_size()
where database_name = 'store'
