-- Functions of the kernel itself, and its addresses without a name, of each profile of a release; ''
-- where profiles do not say which.
select distinct rollup.profile_id, symbol.symbol_id, symbol.name, symbol.dso, symbol.address
from profile
join rollup on rollup.profile_id = profile.profile_id
join stack_symbol on stack_symbol.stack_id = rollup.stack_id
join symbol on symbol.symbol_id = stack_symbol.symbol_id
where symbol.dso = '[kernel.kallsyms]' and coalesce(profile.kernel_release, '') = $release
