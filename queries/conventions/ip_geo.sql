-- view: ip_geo
-- convention: C9
-- purpose: where addresses are, as a data base of yours says; empty unless the run is given such a table
-- input: all
-- columns: ip string, country string, city string, lat double, long double
-- without: where addresses are, unless the events say it
--
-- A table of this name takes the place of this view. The audit-log API sends no positions: without it, reports on places
-- find nothing there.
select
  cast(null as varchar) as ip, cast(null as varchar) as country, cast(null as varchar) as city,
  cast(null as double) as lat, cast(null as double) as long
where false
