-- view: account_action
-- convention: C7
-- purpose: what was done to accounts: one row per account event, with its action and whether it took effect
-- evaluate: once
--
-- is_effective: opening actions unless they failed, closing ones only when they succeeded, the rest null. The loss of a
-- second factor opens.
select
  time, event_uid, outcome, subject_uid, actor_uid, src_ip,
  case activity_id
    when 1 then 'create' when 2 then 'enable' when 3 then 'password_change' when 4 then 'password_reset'
    when 5 then 'disable' when 6 then 'delete' when 7 then 'policy_attach' when 8 then 'policy_detach'
    when 9 then 'lock' when 10 then 'mfa_enable' when 11 then 'mfa_disable' when 12 then 'unlock'
    else 'other'
  end as action,
  case
    when activity_id in (1, 2, 7, 10, 11, 12) then is_not_failed
    when activity_id in (5, 6, 8, 9) then is_successful
  end as is_effective
from event
where class_uid = 3001
