//! Time zones by name, from the copy of the IANA database that build.rs packs.

use std::rc::Rc;
use std::sync::OnceLock;

use tz::{LocalTimeType, TimeZone};

include!(concat!(env!("OUT_DIR"), "/zones.rs"));

/// How many names a mistaken one is answered with.
const SUGGESTIONS: usize = 5;

/// A time zone with its name. Copies share it.
#[derive(Clone)]
pub struct Zone(Rc<(String, TimeZone)>);

impl Zone {
    pub fn utc() -> Self {
        Self(Rc::new(("UTC".to_owned(), TimeZone::utc())))
    }

    /// The zone that is always `seconds` ahead of UTC.
    pub fn fixed(seconds: i32) -> Self {
        match TimeZone::fixed(seconds) {
            Ok(zone) if seconds != 0 => Self(Rc::new((offset_text(seconds), zone))),
            _ => Self::utc(),
        }
    }

    pub fn name(&self) -> &str {
        &self.0.0
    }

    pub fn zone(&self) -> &TimeZone {
        &self.0.1
    }

    /// What holds there at a time, in seconds of Unix.
    pub fn at(&self, unix: i64) -> LocalTimeType {
        let utc = LocalTimeType::utc();
        self.zone().find_local_time_type(unix).copied().unwrap_or(utc)
    }
}

/// The zone of this name, which may also be an offset such as `+05:30`. The error says what is wrong
/// and which names come close.
pub fn get(name: &str) -> Result<Zone, String> {
    if let Some(seconds) = offset(name) {
        return Ok(Zone::fixed(seconds));
    }
    match ZONES.iter().find(|zone| zone.0.eq_ignore_ascii_case(name)) {
        Some(&(name, block, start, end)) => {
            let data = &block_of(usize::from(block))[usize::from(start)..usize::from(end)];
            let zone = TimeZone::from_tz_data(data).map_err(|error| error.to_string())?;
            Ok(Zone(Rc::new((name.to_owned(), zone))))
        }
        None => Err(unknown(name)),
    }
}

fn block_of(index: usize) -> &'static [u8] {
    static UNPACKED: [OnceLock<Vec<u8>>; BLOCKS.len()] = [const { OnceLock::new() }; BLOCKS.len()];
    UNPACKED[index].get_or_init(|| {
        let packed = miniz_oxide::inflate::decompress_to_vec(BLOCKS[index]);
        packed.unwrap_or_else(|_| unreachable!("build.rs packed it"))
    })
}

/// The zones in whose names every word of `query` occurs, or whose offset at `now` is the one it
/// gives. An empty query finds all.
pub fn find(query: &str, now: i64) -> Vec<Zone> {
    let wanted = offset(query);
    let words = words(query);
    let names = ZONES.iter().map(|zone| zone.0);
    names
        .filter(|name| wanted.is_some() || has_words(name, &words))
        .filter_map(|name| get(name).ok())
        .filter(|zone| wanted.is_none_or(|seconds| zone.at(now).ut_offset() == seconds))
        .collect()
}

/// Reads `+05:30`, `-3`, `UTC+2` or `Z`: how many seconds ahead of UTC.
pub fn offset(text: &str) -> Option<i32> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let text = text.strip_prefix("UTC").or_else(|| text.strip_prefix("GMT")).unwrap_or(text);
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// One or two digits.
pub fn number(text: &str) -> Option<i32> {
    let digits = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// `+05:30`, with seconds only where there are some, as in the 19th century.
pub fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match seconds {
        0 => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

fn words(query: &str) -> Vec<String> {
    query
        .split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '+' && c != '-')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect()
}

fn has_words(name: &str, words: &[String]) -> bool {
    let name = name.to_ascii_lowercase();
    words.iter().all(|word| name.contains(word.as_str()))
}

fn unknown(name: &str) -> String {
    // The last part says the most: somebody who writes `Europe/NewYork` means New York.
    let last = words(name.rsplit('/').next().unwrap_or(name));
    let close = ZONES
        .iter()
        .map(|zone| zone.0)
        .filter(|zone| has_words(zone, &last) || has_words(&zone.replace('_', ""), &last));
    let close: Vec<_> = close.take(SUGGESTIONS).collect();
    let hint = if last.is_empty() || close.is_empty() {
        "use an IANA name such as Europe/Berlin or an offset such as +05:30; the tool \
         find_time_zones searches the names"
            .to_owned()
    } else {
        format!("did you mean {}?", close.join(", "))
    };
    format!("there is no time zone {name:?}: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_can_be_unpacked() {
        for (name, ..) in ZONES {
            assert!(get(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn offsets_are_zones() {
        assert_eq!(offset("+05:30"), Some(19800));
        assert_eq!(offset("-0330"), Some(-12600));
        assert_eq!(offset("UTC+2"), Some(7200));
        assert_eq!(offset("Z"), Some(0));
        assert_eq!(offset("+99"), None);
        assert_eq!(offset("+1:+2"), None);
        assert_eq!(offset("Europe/Berlin"), None);
    }

    #[test]
    fn a_name_that_comes_close_is_offered() {
        let error = |name| get(name).err().unwrap_or_default();
        assert!(error("Europe/NewYork").contains("America/New_York"));
        assert!(error("berlin").contains("Europe/Berlin"));
        assert!(error("Nowhere").contains("find_time_zones"));
    }
}
