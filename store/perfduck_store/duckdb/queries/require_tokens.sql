-- The store has been served with tokens. A comment is copied with the file, and is no column that
-- a merge would bring along.
comment on table meta is 'requires tokens'
