-- view: off_hours_event
-- convention: C12
-- purpose: administrative events at night, at the weekend or on a holiday, and which of them
--
-- Exactly $business_start is inside business hours, exactly $business_end is outside.
select *
from (
  select *,
    case
      when $weekend_off and date_part('isodow', local_time) >= 6 then 'weekend'
      when array_has($holidays, cast(local_date as varchar)) then 'holiday'
      when cast(local_time as time) < cast($business_start as time) then 'before_start'
      when cast(local_time as time) >= cast($business_end as time) then 'after_end'
    end as reason
  from admin_event
)
where reason is not null
