-- Tags of `incoming` in place of those that the same symbols have.
update symbol set
    canonical = new.canonical,
    source_file = new.source_file,
    area = new.area,
    subsystem = new.subsystem,
    role = new.role,
    tagged_by = new.tagged_by,
    class = new.class,
from incoming as new
where symbol.symbol_id = new.symbol_id
