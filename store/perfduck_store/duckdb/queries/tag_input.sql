select source, content_hash, content
from tag_input
where kind = $kind and kernel_release = $kernel_release
