//! What lies between two times, in the units people count in.

use crate::civil::{Civil, year_month_day};
use crate::moment::Moment;

/// All of it is negative, or nothing is.
pub struct Span {
    is_negative: bool,
    /// Years, months, days, hours, minutes, seconds.
    units: [i64; 6],
}

impl Span {
    /// Both are taken to be in the zone of `from`.
    pub fn between(from: &Moment, to: &Moment) -> Self {
        let is_negative = to.unix < from.unix;
        let (first, last) = if is_negative { (to, from) } else { (from, to) };
        let (months, mut days) = months_and_days(first.civil, last.civil);
        let seconds = loop {
            // The rest is what really passes: a day on which the clocks change is no 24 hours.
            let middle = first.civil.add_months(months).and_then(|date| date.add_days(days));
            let middle = match middle {
                Some(date) if date != first.civil => Moment::local(date, first.zone.clone()).unix,
                _ => first.unix,
            };
            if middle <= last.unix || days == 0 {
                break (last.unix - middle).max(0);
            }
            days -= 1;
        };
        let (minutes, hours) = (seconds / 60, seconds / 3600);
        let units = [months / 12, months % 12, days, hours, minutes % 60, seconds % 60];
        Self { is_negative, units }
    }

    /// As people say it: `1 year, 2 days`, `minus 3 hours`.
    pub fn text(&self) -> String {
        let names = ["year", "month", "day", "hour", "minute", "second"];
        let parts: Vec<_> = self
            .units
            .iter()
            .zip(names)
            .filter(|(number, _)| **number != 0)
            .map(|(number, name)| format!("{number} {name}{}", if *number == 1 { "" } else { "s" }))
            .collect();
        match (parts.is_empty(), self.is_negative) {
            (true, _) => "no difference".to_owned(),
            (false, true) => format!("minus {}", parts.join(", ")),
            (false, false) => parts.join(", "),
        }
    }

    /// `P1Y2DT3H`.
    pub fn iso_8601(&self) -> String {
        let mut text = String::from(if self.is_negative { "-P" } else { "P" });
        let mut is_time = false;
        for (index, (number, letter)) in self.units.iter().zip("YMDHMS".chars()).enumerate() {
            if *number == 0 {
                continue;
            }
            if index > 2 && !is_time {
                text.push('T');
                is_time = true;
            }
            text += &format!("{number}{letter}");
        }
        if text.ends_with('P') {
            text += "T0S";
        }
        text
    }
}

/// The whole months from `first` to `last`, and the whole days that are left. A month is whole when
/// the day of the month is reached: from January 31 to February 28 it is not.
fn months_and_days(first: Civil, last: Civil) -> (i64, i64) {
    let parts = |civil: Civil| {
        let (year, month, day) = year_month_day(civil.day);
        (year * 12 + month, (day, civil.second))
    };
    let ((from, first_day), (to, last_day)) = (parts(first), parts(last));
    let months = (to - from - i64::from(last_day < first_day)).max(0);
    let after = first.add_months(months).unwrap_or(first);
    let days = last.day - after.day - i64::from(last.second < after.second);
    (months, days.max(0))
}

#[cfg(test)]
mod tests {
    use crate::moment::read;
    use crate::zones;

    fn between(from: &str, to: &str) -> Result<(String, String), String> {
        let berlin = zones::get("Europe/Berlin")?;
        let (from, to) = (read("from", from, berlin.clone())?, read("to", to, berlin)?);
        let span = super::Span::between(&from, &to);
        Ok((span.iso_8601(), span.text()))
    }

    #[test]
    fn spans_are_counted_as_people_do() {
        let cases = [
            ("2026-11-24", "2026-11-24", "PT0S", "no difference"),
            ("2024-02-29", "2026-02-28", "P1Y11M30D", "1 year, 11 months, 30 days"),
            ("2026-01-31", "2026-02-28", "P28D", "28 days"),
            ("2026-01-31", "2026-03-01", "P1M1D", "1 month, 1 day"),
            ("2026-11-24T14:30", "2026-11-25T13:00", "PT22H30M", "22 hours, 30 minutes"),
            ("2026-11-25", "2026-11-23", "-P2D", "minus 2 days"),
            // The clocks are put forward: a day by the calendar, and 2 hours that really pass.
            ("2026-03-28T12:00", "2026-03-29T12:00", "P1D", "1 day"),
            ("2026-03-29T01:00", "2026-03-29T04:00", "PT2H", "2 hours"),
        ];
        for (from, to, iso, text) in cases {
            assert_eq!(between(from, to), Ok((iso.to_owned(), text.to_owned())), "{from} {to}");
        }
    }
}
