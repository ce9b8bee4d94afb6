select kind, kernel_release
from tag_input
order by all
