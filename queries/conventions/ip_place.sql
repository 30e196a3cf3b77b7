-- view: ip_place
-- convention: C9
-- purpose: ip_geo with one row for each address, and positions only in range and not both 0
-- evaluate: once
select
  ip, nullif(upper(trim(country)), '') as country, nullif(trim(city), '') as city,
  case when has_position then lat end as lat, case when has_position then long end as long
from (
  select
    trim(ip) as ip, country, city, lat, long,
    lat between -90 and 90 and long between -180 and 180 and not (lat = 0 and long = 0) as has_position,
    row_number() over (partition by trim(ip) order by country, city, lat, long) as nth
  from ip_geo
)
where nth = 1
