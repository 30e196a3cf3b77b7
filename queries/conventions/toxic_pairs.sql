-- view: toxic_pairs
-- convention: C18
-- purpose: pairs of privileges that one person must not hold together: three examples unless the run is given such a table
-- input: all
-- columns: rule string, left_pattern string, right_pattern string
-- without: which pairs of privileges your own policy forbids
--
-- A table of this name takes the place of this view. A pattern is found anywhere in the name of a privilege, in any case.
select rule, left_pattern, right_pattern
from (values
  (
    'key administration with audit-log reading',
    '^(service_account_write|service_accounts_manage|api_keys?_(write|manage))$', '^audit_log_read$'
  ),
  ('member invitation with group management', '^workspace_members_invite$', '^group_members_manage$'),
  ('webhook writing with audit-log reading', '^webhooks_(write|manage)$', '^audit_log_read$')
) as pair(rule, left_pattern, right_pattern)
