select dso, build_id
from recorded_binary
