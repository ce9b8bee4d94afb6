select content_hash
from tag_input
where kind = $kind and kernel_release = $kernel_release
