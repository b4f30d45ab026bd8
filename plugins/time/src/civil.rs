//! Dates and clocks by themselves, without a time zone: the sums of the calendar.

/// The first and the last year there are here.
pub const YEARS: std::ops::RangeInclusive<i64> = 1..=9999;
pub const DAY: i64 = 86_400;

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// Days since 1970-01-01.
    pub day: i64,
    /// Seconds since midnight.
    pub second: i64,
}

impl Civil {
    /// Seconds since 1970-01-01 as if there were no time zones.
    pub fn seconds(self) -> i64 {
        self.day * DAY + self.second
    }

    pub fn from_seconds(seconds: i64) -> Self {
        Self { day: seconds.div_euclid(DAY), second: seconds.rem_euclid(DAY) }
    }

    /// The same day of another month, or that month's last. Nothing beyond [`YEARS`].
    pub fn add_months(self, months: i64) -> Option<Self> {
        let (year, month, day) = year_month_day(self.day);
        let month = (year * 12 + month - 1).checked_add(months)?;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        let last = days_in_month(year, month);
        YEARS.contains(&year).then(|| Self { day: days(year, month, day.min(last)), ..self })
    }

    /// Days later. Nothing beyond [`YEARS`].
    pub fn add_days(self, days: i64) -> Option<Self> {
        let day = self.day.checked_add(days)?;
        (days_of(YEARS)).contains(&day).then_some(Self { day, ..self })
    }

    /// Days later that are not Saturdays or Sundays. Nothing beyond [`YEARS`].
    pub fn add_weekdays(self, number: i64) -> Option<Self> {
        let mut date = self;
        for _ in 0..number.abs() {
            date = date.add_days(number.signum())?;
            while weekday(date.day) > 4 {
                date = date.add_days(number.signum())?;
            }
        }
        Some(date)
    }
}

/// Whether a day lies within [`YEARS`].
pub fn is_within(day: i64) -> bool {
    days_of(YEARS).contains(&day)
}

fn days_of(years: std::ops::RangeInclusive<i64>) -> std::ops::Range<i64> {
    days(*years.start(), 1, 1)..days(years.end() + 1, 1, 1)
}

/// The days from 1970-01-01 to a date of the Gregorian calendar.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The date that lies so many days after 1970-01-01.
pub fn year_month_day(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    // 146097 days are 400 years.
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (era * 400 + year, month, day - first + 1)
}

pub fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next, 1) - days(year, month, 1)
}

/// Monday is 0.
pub fn weekday(day: i64) -> usize {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7) as usize
}

/// The day of the year, from 1.
pub fn day_of_year(day: i64) -> i64 {
    day - days(year_month_day(day).0, 1, 1) + 1
}

/// The year and the week of ISO 8601: a week belongs to the year of its Thursday.
pub fn iso_week(day: i64) -> (i64, i64) {
    let thursday = day - weekday(day) as i64 + 3;
    (year_month_day(thursday).0, (day_of_year(thursday) - 1) / 7 + 1)
}

/// The days from Monday to Friday between two days: the first counts, the last does not. Negative if
/// the last comes first.
pub fn weekdays_between(from: i64, to: i64) -> i64 {
    // 4 days after 1970-01-01 is a Monday.
    let since_monday = |day: i64| {
        let day = day - 4;
        day.div_euclid(7) * 5 + day.rem_euclid(7).min(5)
    };
    since_monday(to) - since_monday(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i64, month: i64, day: i64) -> Civil {
        Civil { day: days(year, month, day), second: 0 }
    }

    #[test]
    fn days_and_dates_are_the_same_thing() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        for day in days_of(YEARS) {
            let (year, month, of_month) = year_month_day(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        assert_eq!(weekday(days(2026, 11, 24)), 1);
        assert_eq!(iso_week(days(2026, 11, 24)), (2026, 48));
        assert_eq!(iso_week(days(2021, 1, 3)), (2020, 53));
        assert_eq!(iso_week(days(2024, 12, 30)), (2025, 1));
        assert_eq!(day_of_year(days(2024, 12, 31)), 366);
    }

    #[test]
    fn a_month_later_stays_within_the_month() {
        assert_eq!(date(2024, 1, 31).add_months(1), Some(date(2024, 2, 29)));
        assert_eq!(date(2024, 2, 29).add_months(-12), Some(date(2023, 2, 28)));
        assert_eq!(date(9999, 12, 1).add_months(1), None);
        assert_eq!(date(2024, 1, 1).add_months(i64::MAX), None);
    }

    #[test]
    fn weekends_are_left_out() {
        let friday = date(2026, 11, 27);
        assert_eq!(friday.add_weekdays(1), Some(date(2026, 11, 30)));
        assert_eq!(friday.add_weekdays(-5), Some(date(2026, 11, 20)));
        assert_eq!(weekdays_between(days(2026, 11, 23), days(2026, 11, 30)), 5);
        assert_eq!(weekdays_between(days(2026, 11, 28), days(2026, 11, 23)), -5);
    }
}
