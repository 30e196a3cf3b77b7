-- view: report_control
-- convention: C18
-- purpose: which report backs which control of which framework: the program's own catalogue, given to each run of a report
-- input: all
select
  cast(null as varchar) as report_id, cast(null as varchar) as kind, cast(null as varchar) as framework,
  cast(null as varchar) as control_id
where false
