//! A time in a time zone: read from what people write, and told to people and to machines.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tz::datetime::{DateTime, FoundDateTimeKind};

use crate::civil::{self, Civil};
use crate::zones::{self, Zone};

/// The schema of what [`Moment::json`] gives.
pub const SCHEMA: &str = r#"{"type":"object","properties":{
"time":{"type":"string","description":"ISO 8601 with offset"},
"time_zone":{"type":"string"},
"utc_offset":{"type":"string"},
"abbreviation":{"type":"string","description":"Empty where there is none in letters"},
"daylight_saving":{"type":"boolean"},
"weekday":{"type":"string"},
"iso_week":{"type":"string"},
"day_of_year":{"type":"integer"},
"unix_seconds":{"type":"integer"},
"note":{"type":"string","description":"How an ambiguous time was understood"}},
"required":["time","time_zone","utc_offset","abbreviation","daylight_saving","weekday","iso_week",
"day_of_year","unix_seconds"],"additionalProperties":false}"#;

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The time now, in seconds of Unix: nobody asks a plugin for more.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

/// A time in a time zone.
#[derive(Clone)]
pub struct Moment {
    /// Seconds of Unix.
    pub unix: i64,
    pub zone: Zone,
    /// What the clocks show there.
    pub civil: Civil,
    /// What the caller should know about how it was understood.
    pub note: Option<&'static str>,
}

impl Moment {
    pub fn at(unix: i64, zone: Zone) -> Self {
        let offset = i64::from(zone.at(unix).ut_offset());
        Self { unix, zone, civil: Civil::from_seconds(unix.saturating_add(offset)), note: None }
    }

    /// A time by the clocks of a zone. Where those are put forward it may not be, and where they are
    /// put back it may be twice.
    pub fn local(civil: Civil, zone: Zone) -> Self {
        let (unix, note) = find(civil, &zone);
        Self { note, ..Self::at(unix, zone) }
    }

    /// The same time elsewhere.
    pub fn with_zone(&self, zone: Zone) -> Self {
        Self::at(self.unix, zone)
    }

    /// `Tuesday, 2026-11-24 14:30:00 +01:00 (CET, Europe/Berlin)`.
    pub fn text(&self) -> String {
        let (weekday, name) = (WEEKDAYS[civil::weekday(self.civil.day)], self.zone.name());
        let offset = zones::offset_text(self.zone.at(self.unix).ut_offset());
        let names = match self.abbreviation() {
            abbreviation if abbreviation.is_empty() || abbreviation == name => name.to_owned(),
            abbreviation => format!("{abbreviation}, {name}"),
        };
        format!("{weekday}, {} {} {offset} ({names})", self.date(), self.clock())
    }

    /// The same for machines; [`SCHEMA`] describes it.
    pub fn json(&self) -> Value {
        let kind = self.zone.at(self.unix);
        let offset = zones::offset_text(kind.ut_offset());
        let (year, week) = civil::iso_week(self.civil.day);
        let mut json = json!({
            "time": format!("{}T{}{offset}", self.date(), self.clock()),
            "time_zone": self.zone.name(),
            "utc_offset": offset,
            "abbreviation": self.abbreviation(),
            "daylight_saving": kind.is_dst(),
            "weekday": WEEKDAYS[civil::weekday(self.civil.day)],
            "iso_week": format!("{year:04}-W{week:02}"),
            "day_of_year": civil::day_of_year(self.civil.day),
            "unix_seconds": self.unix,
        });
        if let Some(note) = self.note {
            json["note"] = note.into();
        }
        json
    }

    fn date(&self) -> String {
        let (year, month, day) = civil::year_month_day(self.civil.day);
        format!("{year:04}-{month:02}-{day:02}")
    }

    fn clock(&self) -> String {
        let second = self.civil.second;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    /// `CET`; nothing where the database has but an offset in place of letters.
    fn abbreviation(&self) -> String {
        let kind = self.zone.at(self.unix);
        match kind.time_zone_designation() {
            "" if kind.ut_offset() == 0 => "UTC".to_owned(),
            name if name.starts_with(['+', '-']) => String::new(),
            name => name.to_owned(),
        }
    }
}

fn find(civil: Civil, zone: &Zone) -> (i64, Option<&'static str>) {
    let (year, month, day) = civil::year_month_day(civil.day);
    let second = civil.second;
    let found = DateTime::find(
        year as i32,
        month as u8,
        day as u8,
        (second / 3600) as u8,
        (second / 60 % 60) as u8,
        (second % 60) as u8,
        0,
        zone.zone().as_ref(),
    );
    let mut times = Vec::new();
    for found in found.map(|found| found.into_inner()).unwrap_or_default() {
        match found {
            FoundDateTimeKind::Normal(time) => times.push(time.unix_time()),
            FoundDateTimeKind::Skipped { before_transition, .. } => {
                let before = i64::from(before_transition.local_time_type().ut_offset());
                let note = "the clocks skip that time there: it was moved on by what they skip";
                return (civil.seconds() - before, Some(note));
            }
        }
    }
    let note = "the clocks show that time twice there: the first of the two was taken";
    let first = times.iter().min().copied().unwrap_or_else(|| civil.seconds());
    (first, (times.len() > 1).then_some(note))
}

/// What is read of a text, part by part.
#[derive(Default)]
struct Written<'a> {
    day: Option<i64>,
    second: Option<i64>,
    /// Seconds ahead of UTC.
    offset: Option<i32>,
    zone: Option<&'a str>,
}

/// Reads the argument `field`. What names no zone and no offset is a time in `zone`; where both are
/// named the offset says when, and the zone how to tell it.
pub fn read(field: &str, text: &str, zone: Zone) -> Result<Moment, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(Moment::at(now(), zone));
    }
    let written = parse(text).ok_or_else(|| {
        format!(
            "{field}: {text:?} is no date and no time: write 2026-11-24, 2026-11-24T14:30, \
             2026-11-24T14:30:00+01:00, 2026-11-24T14:30[Europe/Berlin], 14:30 or now"
        )
    })?;
    let zone = match (written.zone, written.offset) {
        (Some(name), _) => zones::get(name).map_err(|error| format!("{field}: {error}"))?,
        (None, Some(offset)) => Zone::fixed(offset),
        (None, None) => zone,
    };
    let day = written.day.unwrap_or_else(|| Moment::at(now(), zone.clone()).civil.day);
    let civil = Civil { day, second: written.second.unwrap_or(0) };
    Ok(match written.offset {
        Some(offset) => Moment::at(civil.seconds() - i64::from(offset), zone),
        None => Moment::local(civil, zone),
    })
}

/// `2026-11-24T14:30:00.5+01:00[Europe/Berlin]`, of which much may be missing. Fractions of a second
/// are left out.
fn parse(text: &str) -> Option<Written<'_>> {
    let mut written = Written::default();
    let mut rest = text;
    if let Some(text) = rest.strip_suffix(']') {
        let (text, zone) = text.split_once('[')?;
        (rest, written.zone) = (text, Some(zone));
    }
    if rest.as_bytes().get(4) == Some(&b'-') {
        let date = rest.get(..10)?;
        written.day = Some(parse_date(date)?);
        rest = &rest[10..];
        if rest.is_empty() {
            return Some(written);
        }
        rest = rest.strip_prefix(['T', 't', ' '])?;
    }
    if let Some(at) = rest.find(['Z', 'z', '+', '-']) {
        written.offset = Some(zones::offset(&rest[at..])?);
        rest = rest[..at].trim_end();
    }
    let mut parts = rest.split(':');
    let (hours, minutes) = (zones::number(parts.next()?)?, zones::number(parts.next()?)?);
    let seconds = parts.next().unwrap_or("0");
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let seconds = zones::number(seconds)?;
    let is_clock = hours < 24
        && minutes < 60
        && seconds < 60
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && parts.next().is_none();
    written.second = Some(i64::from(hours * 3600 + minutes * 60 + seconds));
    is_clock.then_some(written)
}

fn parse_date(text: &str) -> Option<i64> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    if !year.bytes().all(|byte| byte.is_ascii_digit()) || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let year = year.parse().ok()?;
    let (month, day) = (i64::from(zones::number(month)?), i64::from(zones::number(day)?));
    let is_date = civil::YEARS.contains(&year)
        && (1..=12).contains(&month)
        && (1..=civil::days_in_month(year, month)).contains(&day);
    is_date.then(|| civil::days(year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin(text: &str) -> Result<Moment, String> {
        read("time", text, zones::get("Europe/Berlin")?)
    }

    fn time(text: &str) -> String {
        let json = berlin(text).map(|moment| moment.json());
        json.map_or_else(|error| error, |json| json["time"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_people_write_is_read() {
        assert_eq!(time("2026-11-24"), "2026-11-24T00:00:00+01:00");
        assert_eq!(time("2026-07-24 14:30"), "2026-07-24T14:30:00+02:00");
        assert_eq!(time("2026-07-24T14:30:05.123Z"), "2026-07-24T14:30:05+00:00");
        assert_eq!(time("2026-07-24T14:30-03:30"), "2026-07-24T14:30:00-03:30");
        assert_eq!(time("2026-07-24T14:30[Asia/Tokyo]"), "2026-07-24T14:30:00+09:00");
        assert_eq!(time("2026-07-24T14:30Z[Asia/Tokyo]"), "2026-07-24T23:30:00+09:00");
        assert_eq!(time("1883-01-01T00:00[America/New_York]"), "1883-01-01T00:00:00-04:56:02");
        assert_eq!(time("2150-07-01T12:00"), "2150-07-01T12:00:00+02:00");
    }

    #[test]
    fn what_is_no_time_is_said() {
        for text in [
            "",
            "soon",
            "2026-02-29",
            "2026-13-01",
            "25:00",
            "2026-11-24T",
            "2026-1-1",
            "12:00:00:00",
            "+026-01-01",
            "14:3é",
        ] {
            assert!(
                berlin(text).is_err_and(|error| error.contains("no date and no time")),
                "{text}"
            );
        }
        assert!(berlin("12:00[Berlin]").is_err_and(|error| error.contains("Europe/Berlin")));
    }

    #[test]
    fn changes_of_the_clock_are_said() {
        assert_eq!(time("2026-03-29T02:30"), "2026-03-29T03:30:00+02:00");
        assert!(berlin("2026-03-29T02:30").is_ok_and(|moment| moment.note.is_some()));
        assert_eq!(time("2026-10-25T02:30"), "2026-10-25T02:30:00+02:00");
        assert!(berlin("2026-10-25T02:30").is_ok_and(|moment| moment.note.is_some()));
        assert!(berlin("2026-10-25T03:30").is_ok_and(|moment| moment.note.is_none()));
    }
}
