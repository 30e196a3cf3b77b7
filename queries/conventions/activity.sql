-- view: activity
-- convention: C6
-- purpose: captions of classes and activities, as OCSF 1.6.0 has them; join on class_uid and activity_key
--
-- activity_key is 0 for an event without activity and 99 for one that OCSF does not know: `event` has it.
select * from (values
  (3001, 0, 'Account Change', 'Unknown'), (3001, 1, 'Account Change', 'Create'),
  (3001, 2, 'Account Change', 'Enable'), (3001, 3, 'Account Change', 'Password Change'),
  (3001, 4, 'Account Change', 'Password Reset'), (3001, 5, 'Account Change', 'Disable'),
  (3001, 6, 'Account Change', 'Delete'), (3001, 7, 'Account Change', 'Attach Policy'),
  (3001, 8, 'Account Change', 'Detach Policy'), (3001, 9, 'Account Change', 'Lock'),
  (3001, 10, 'Account Change', 'MFA Factor Enable'), (3001, 11, 'Account Change', 'MFA Factor Disable'),
  (3001, 12, 'Account Change', 'Unlock'), (3001, 99, 'Account Change', 'Other'),
  (3002, 0, 'Authentication', 'Unknown'), (3002, 1, 'Authentication', 'Logon'),
  (3002, 2, 'Authentication', 'Logoff'), (3002, 3, 'Authentication', 'Authentication Ticket'),
  (3002, 4, 'Authentication', 'Service Ticket Request'), (3002, 5, 'Authentication', 'Service Ticket Renew'),
  (3002, 6, 'Authentication', 'Preauth'), (3002, 7, 'Authentication', 'Account Switch'),
  (3002, 99, 'Authentication', 'Other'),
  (3004, 0, 'Entity Management', 'Unknown'), (3004, 1, 'Entity Management', 'Create'),
  (3004, 2, 'Entity Management', 'Read'), (3004, 3, 'Entity Management', 'Update'),
  (3004, 4, 'Entity Management', 'Delete'), (3004, 5, 'Entity Management', 'Move'),
  (3004, 6, 'Entity Management', 'Enroll'), (3004, 7, 'Entity Management', 'Unenroll'),
  (3004, 8, 'Entity Management', 'Enable'), (3004, 9, 'Entity Management', 'Disable'),
  (3004, 10, 'Entity Management', 'Activate'), (3004, 11, 'Entity Management', 'Deactivate'),
  (3004, 12, 'Entity Management', 'Suspend'), (3004, 13, 'Entity Management', 'Resume'),
  (3004, 99, 'Entity Management', 'Other'),
  (3005, 0, 'User Access Management', 'Unknown'), (3005, 1, 'User Access Management', 'Assign Privileges'),
  (3005, 2, 'User Access Management', 'Revoke Privileges'), (3005, 99, 'User Access Management', 'Other'),
  (3006, 0, 'Group Management', 'Unknown'), (3006, 1, 'Group Management', 'Assign Privileges'),
  (3006, 2, 'Group Management', 'Revoke Privileges'), (3006, 3, 'Group Management', 'Add User'),
  (3006, 4, 'Group Management', 'Remove User'), (3006, 5, 'Group Management', 'Delete'),
  (3006, 6, 'Group Management', 'Create'), (3006, 7, 'Group Management', 'Add Subgroup'),
  (3006, 8, 'Group Management', 'Remove Subgroup'), (3006, 99, 'Group Management', 'Other')
) as known(class_uid, activity_key, class, activity)
