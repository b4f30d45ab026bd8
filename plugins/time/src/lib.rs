//! A plugin of MCP Hub: the time now, time zones, and sums with dates.

mod civil;
mod moment;
mod span;
mod zones;

wit_bindgen::generate!({ path: "../../wit", world: "provider" });

use civil::Civil;
use exports::mcp_hub::plugin::tools::{
    Annotations, CallError, Content, Guest, Outcome, Request, Tool, ToolResult,
};
use mcp_hub::plugin::host;
use moment::{Moment, now};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use span::Span;
use zones::Zone;

/// How many zones one call of `convert_time` takes.
const MAX_ZONES: usize = 50;
/// How many zones `find_time_zones` names unless told otherwise.
const DEFAULT_FOUND: usize = 50;
/// How far `add_to_date` counts weekdays, one by one.
const MAX_WEEKDAYS: i64 = 100_000;

struct Time;
export!(Time);

impl Guest for Time {
    fn list_tools() -> Result<Vec<Tool>, String> {
        // A wrong zone in the plugin's configuration is found when it is loaded, not by a caller.
        default_zone()?;
        Ok(vec![
            tool(
                "now",
                "Current time",
                "Tells the current date and time, in UTC or in a time zone.",
                NOW,
                MOMENT,
            ),
            tool(
                "convert_time",
                "Convert time",
                "Converts a date and time into other time zones, daylight saving time included.",
                CONVERT_TIME,
                CONVERTED,
            ),
            tool(
                "date_difference",
                "Difference of dates",
                "Tells how much time lies between two dates or times: in calendar units, in days, in \
                 seconds, and how many weekdays (Monday to Friday).",
                DATE_DIFFERENCE,
                DIFFERENCE,
            ),
            tool(
                "add_to_date",
                "Add to a date",
                "Adds years, months, days, weekdays, hours and so on to a date or time. Negative \
                 numbers subtract. A month's end stays within the month: January 31 and one month \
                 is February 28 or 29.",
                ADD_TO_DATE,
                MOMENT,
            ),
            tool(
                "find_time_zones",
                "Find time zones",
                "Finds the IANA names of time zones by a part of the name or by the current offset, \
                 with the time it is there.",
                FIND_TIME_ZONES,
                FOUND,
            ),
        ])
    }

    fn call_tool(request: Request) -> Result<Outcome, CallError> {
        let arguments = &request.arguments;
        let (text, structured) = match request.name.as_str() {
            "now" => current(&parse(arguments)?),
            "convert_time" => convert(&parse(arguments)?),
            "date_difference" => difference(&parse(arguments)?),
            "add_to_date" => add(&parse(arguments)?),
            "find_time_zones" => find(&parse(arguments)?),
            _ => return Err(CallError::UnknownTool(request.name)),
        }
        .map_err(CallError::InvalidArguments)?;
        Ok(Outcome::Complete(ToolResult {
            content: vec![Content::Text(text)],
            structured_content: Some(structured.to_string()),
            is_error: false,
            meta: None,
        }))
    }
}

/// What each tool answers: for people and for machines. It fails only if the arguments are wrong.
type Answer = Result<(String, Value), String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Now {
    time_zone: Option<String>,
}

const NOW: &str = r#"{
    "type": "object",
    "properties": {
        "time_zone": {
            "type": "string",
            "description": "IANA name such as Europe/Berlin, or an offset such as +05:30. Default: UTC, unless the hub is configured otherwise."
        }
    },
    "additionalProperties": false
}"#;

fn current(arguments: &Now) -> Answer {
    let now = Moment::at(now(), zone("time_zone", arguments.time_zone.as_deref())?);
    Ok((now.text(), now.json()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConvertTime {
    time: String,
    from_time_zone: Option<String>,
    to_time_zones: Vec<String>,
}

const CONVERT_TIME: &str = r#"{
    "type": "object",
    "properties": {
        "time": {
            "type": "string",
            "description": "ISO 8601: 2026-11-24T14:30, 2026-11-24T14:30:00+01:00, 14:30 (today), or \"now\"."
        },
        "from_time_zone": {
            "type": "string",
            "description": "The time zone of `time`, if it names none: an IANA name such as America/New_York, or an offset. Default: UTC, unless the hub is configured otherwise."
        },
        "to_time_zones": {
            "type": "array",
            "items": { "type": "string" },
            "minItems": 1,
            "maxItems": 50,
            "description": "IANA names such as Asia/Tokyo, or offsets."
        }
    },
    "required": ["time", "to_time_zones"],
    "additionalProperties": false
}"#;

fn convert(arguments: &ConvertTime) -> Answer {
    let from = zone("from_time_zone", arguments.from_time_zone.as_deref())?;
    let from = moment::read("time", &arguments.time, from)?;
    let names = &arguments.to_time_zones;
    if names.is_empty() || names.len() > MAX_ZONES {
        return Err(format!(
            "to_time_zones: 1 to {MAX_ZONES} zones are expected, not {}",
            names.len()
        ));
    }
    let mut text = format!("{} is", from.text());
    let mut times = Vec::new();
    for name in names {
        let time = from.with_zone(zone("to_time_zones", Some(name))?);
        text += &format!("\n- {}", time.text());
        times.push(time.json());
    }
    Ok((with_note(text, &from), json!({ "from": from.json(), "times": times })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DateDifference {
    from: String,
    to: String,
    time_zone: Option<String>,
}

const DATE_DIFFERENCE: &str = r#"{
    "type": "object",
    "properties": {
        "from": {
            "type": "string",
            "description": "ISO 8601: 2026-11-24, 2026-11-24T14:30, 2026-11-24T14:30:00+01:00, or \"now\"."
        },
        "to": { "type": "string", "description": "Likewise. It may be earlier than `from`." },
        "time_zone": {
            "type": "string",
            "description": "The time zone of what names none, and the one in which days are counted: an IANA name or an offset. Default: UTC, unless the hub is configured otherwise."
        }
    },
    "required": ["from", "to"],
    "additionalProperties": false
}"#;

fn difference(arguments: &DateDifference) -> Answer {
    let here = zone("time_zone", arguments.time_zone.as_deref())?;
    let from = moment::read("from", &arguments.from, here.clone())?;
    let to = moment::read("to", &arguments.to, here.clone())?;
    // Days are counted where the caller is, or else where the first time is: elsewhere they begin
    // at another time.
    let here = if arguments.time_zone.is_some() { here } else { from.zone.clone() };
    let (from, to) = (from.with_zone(here.clone()), to.with_zone(here));
    let span = Span::between(&from, &to);
    let days = to.civil.day - from.civil.day;
    let weekdays = civil::weekdays_between(from.civil.day, to.civil.day);
    let seconds = to.unix - from.unix;
    let text = format!(
        "From {} to {}: {}. In days: {days}, of which Monday to Friday: {weekdays}. In seconds: \
         {seconds}.",
        from.text(),
        to.text(),
        span.text(),
    );
    let answer = json!({
        "from": from.json(),
        "to": to.json(),
        "duration": span.iso_8601(),
        "total_days": days,
        "total_seconds": seconds,
        "weekdays": weekdays,
    });
    Ok((text, answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddToDate {
    date: String,
    time_zone: Option<String>,
    #[serde(default)]
    years: i64,
    #[serde(default)]
    months: i64,
    #[serde(default)]
    weeks: i64,
    #[serde(default)]
    days: i64,
    #[serde(default)]
    weekdays: i64,
    #[serde(default)]
    hours: i64,
    #[serde(default)]
    minutes: i64,
    #[serde(default)]
    seconds: i64,
}

const ADD_TO_DATE: &str = r#"{
    "type": "object",
    "properties": {
        "date": {
            "type": "string",
            "description": "ISO 8601: 2026-11-24, 2026-11-24T14:30, 2026-11-24T14:30:00+01:00, or \"now\"."
        },
        "time_zone": {
            "type": "string",
            "description": "The time zone of `date`, if it names none: an IANA name or an offset. Default: UTC, unless the hub is configured otherwise."
        },
        "years": { "type": "integer" },
        "months": { "type": "integer" },
        "weeks": { "type": "integer" },
        "days": { "type": "integer", "description": "Calendar days: the time of day stays, even if the clock changes between." },
        "weekdays": { "type": "integer", "minimum": -100000, "maximum": 100000, "description": "Days from Monday to Friday, added after years, months, weeks and days." },
        "hours": { "type": "integer" },
        "minutes": { "type": "integer" },
        "seconds": { "type": "integer" }
    },
    "required": ["date"],
    "additionalProperties": false
}"#;

fn add(arguments: &AddToDate) -> Answer {
    let zone = zone("time_zone", arguments.time_zone.as_deref())?;
    let from = moment::read("date", &arguments.date, zone)?;
    if !(-MAX_WEEKDAYS..=MAX_WEEKDAYS).contains(&arguments.weekdays) {
        return Err(format!("weekdays: at most {MAX_WEEKDAYS} either way"));
    }
    let to = sum(&from, arguments).ok_or("the sum lies beyond the years 1 to 9999")?;
    Ok((with_note(to.text(), &to), to.json()))
}

/// Nothing beyond the years there are.
fn sum(from: &Moment, arguments: &AddToDate) -> Option<Moment> {
    let months = arguments.years.checked_mul(12)?.checked_add(arguments.months)?;
    let days = arguments.weeks.checked_mul(7)?.checked_add(arguments.days)?;
    let minutes = arguments.hours.checked_mul(60)?.checked_add(arguments.minutes)?;
    let seconds = minutes.checked_mul(60)?.checked_add(arguments.seconds)?;
    let date = from.civil.add_months(months)?.add_days(days)?.add_weekdays(arguments.weekdays)?;
    // A date that stays where it was keeps its offset too, even if the clocks show it twice.
    let to = if date == from.civil { from.clone() } else { Moment::local(date, from.zone.clone()) };
    if seconds == 0 {
        return Some(to);
    }
    let unix = to.unix.checked_add(seconds)?;
    let within = civil::is_within(Civil::from_seconds(unix).day);
    let to = Moment { note: to.note, ..Moment::at(unix, to.zone) };
    within.then_some(to)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindTimeZones {
    #[serde(default)]
    query: String,
    limit: Option<usize>,
}

const FIND_TIME_ZONES: &str = r#"{
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "description": "Words of the name such as \"new york\" or \"europe\", or a current offset such as +05:30. Default: all."
        },
        "limit": { "type": "integer", "minimum": 1, "maximum": 1000, "description": "Default: 50." }
    },
    "additionalProperties": false
}"#;

fn find(arguments: &FindTimeZones) -> Answer {
    let limit = arguments.limit.unwrap_or(DEFAULT_FOUND);
    if !(1..=1000).contains(&limit) {
        return Err("limit: 1 to 1000 is expected".to_owned());
    }
    let now = now();
    let found = zones::find(arguments.query.trim(), now);
    let total = found.len();
    let times: Vec<_> = found.into_iter().take(limit).map(|zone| Moment::at(now, zone)).collect();
    let mut lines: Vec<_> = times.iter().map(Moment::text).collect();
    if times.is_empty() {
        lines.push(format!("No time zone matches {:?}.", arguments.query));
    } else if total > times.len() {
        lines.push(format!("… and {} more", total - times.len()));
    }
    let answer = json!({
        "time_zones": times.iter().map(Moment::json).collect::<Vec<_>>(),
        "total": total,
        "database": zones::VERSION,
    });
    Ok((lines.join("\n"), answer))
}

// What the tools give, where MOMENT is what all of them tell of a time.
const MOMENT: &str = "MOMENT";
const CONVERTED: &str = r#"{"type":"object","properties":{
"from":MOMENT,"times":{"type":"array","items":MOMENT}},
"required":["from","times"],"additionalProperties":false}"#;
const DIFFERENCE: &str = r#"{"type":"object","properties":{
"from":MOMENT,"to":MOMENT,
"duration":{"type":"string","description":"ISO 8601"},
"total_days":{"type":"integer","description":"Calendar days"},
"total_seconds":{"type":"integer","description":"Seconds that really pass"},
"weekdays":{"type":"integer","description":"Days from Monday to Friday, without the last day"}},
"required":["from","to","duration","total_days","total_seconds","weekdays"],
"additionalProperties":false}"#;
const FOUND: &str = r#"{"type":"object","properties":{
"time_zones":{"type":"array","items":MOMENT},
"total":{"type":"integer"},
"database":{"type":"string","description":"Release of the IANA time zone database"}},
"required":["time_zones","total","database"],"additionalProperties":false}"#;

/// The zone of what names none: `time_zone` of the plugin's configuration, or else UTC.
fn default_zone() -> Result<Zone, String> {
    match host::config("time_zone") {
        Some(name) => zones::get(&name).map_err(|error| format!("[config] time_zone: {error}")),
        None => Ok(Zone::utc()),
    }
}

/// The zone that the argument `field` names.
fn zone(field: &str, name: Option<&str>) -> Result<Zone, String> {
    match name {
        Some(name) => zones::get(name.trim()).map_err(|error| format!("{field}: {error}")),
        None => default_zone(),
    }
}

fn with_note(text: String, moment: &Moment) -> String {
    match moment.note {
        Some(note) => format!("{text}\nNote: {note}."),
        None => text,
    }
}

fn tool(
    name: &str,
    title: &str,
    description: &str,
    input_schema: &str,
    output_schema: &str,
) -> Tool {
    Tool {
        name: name.to_owned(),
        title: Some(title.to_owned()),
        description: Some(description.to_owned()),
        input_schema: input_schema.to_owned(),
        output_schema: Some(output_schema.replace(MOMENT, moment::SCHEMA)),
        annotations: Some(Annotations {
            title: None,
            read_only: Some(true),
            destructive: Some(false),
            idempotent: Some(true),
            open_world: Some(false),
        }),
        meta: None,
    }
}

/// The arguments of a call, or an error that names the field that is wrong.
fn parse<T: DeserializeOwned>(arguments: &str) -> Result<T, CallError> {
    let mut json = serde_json::Deserializer::from_str(arguments);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // Nobody sees lines and columns in arguments.
        let text = error.to_string();
        let end = text.rfind(" at line ").unwrap_or(text.len());
        CallError::InvalidArguments(text[..end].to_owned())
    })
}
