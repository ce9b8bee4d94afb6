delete from attachment
where profile_id = $profile_id and kind = $kind
