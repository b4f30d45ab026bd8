//! A log event as one line of JSON.
//!
//! What tracing-subscriber writes as JSON goes piece by piece through `fmt::Write`, each piece checked to
//! be text: of a call's log line that was more than half.

use std::fmt;

use serde::{Serializer as _, ser::SerializeMap};
use serde_json::{Serializer, value::RawValue};
use tracing::{Event, Subscriber};
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{JsonFields, Writer},
    },
    registry::LookupSpan,
};

use crate::model::clock;

/// What a line of a call takes at least, in bytes.
const LINE_BYTES: usize = 256;

/// Writes the event's fields beside its time, level and target, and those of the span it is in.
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let span = context.lookup_current().and_then(|span| {
            let fields = span.extensions();
            let fields = fields.get::<FormattedFields<JsonFields>>()?;
            RawValue::from_string(fields.fields.clone()).ok()
        });
        let mut line = Vec::with_capacity(LINE_BYTES);
        write(event, span.as_deref(), &mut line).map_err(|_unwritable| fmt::Error)?;
        to.write_str(str::from_utf8(&line).map_err(|_unwritable| fmt::Error)?)
    }
}

fn write(
    event: &Event<'_>,
    span: Option<&RawValue>,
    line: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let mut json = Serializer::new(&mut *line);
    let mut members = json.serialize_map(None)?;
    members.serialize_entry("timestamp", &clock::rfc3339().to_string())?;
    members.serialize_entry("level", event.metadata().level().as_str())?;
    let mut fields = SerdeMapVisitor::new(members);
    event.record(&mut fields);
    let mut members = fields.take_serializer()?;
    members.serialize_entry("target", event.metadata().target())?;
    if let Some(span) = span {
        members.serialize_entry("span", span)?;
    }
    members.end()?;
    line.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Seek},
        sync::Arc,
    };

    use serde_json::{Value, json};
    use tracing_subscriber::{fmt::layer, layer::SubscriberExt, registry};

    use super::*;

    #[test]
    fn an_event_is_a_line_and_says_in_which_span_it_was() {
        let mut file: File = tempfile::tempfile().expect("room");
        let written = Arc::new(file.try_clone().expect("the same file"));
        let layer = layer().fmt_fields(JsonFields::new()).event_format(Line).with_writer(written);
        tracing::subscriber::with_default(registry().with(layer), || {
            tracing::info!(number = 7, absent = None::<u64>, "said \"so\"\n");
            let _within = tracing::info_span!("connect", server = "a").entered();
            tracing::warn!("within");
        });
        file.rewind().expect("a file");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("a text");
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let [plain, within] = &lines[..] else { panic!("two lines: {text}") };
        assert_eq!((&plain["level"], &plain["number"]), (&json!("INFO"), &json!(7)));
        assert_eq!(plain["message"], "said \"so\"\n");
        assert_eq!((plain.get("absent"), plain.get("span")), (None, None));
        assert_eq!(
            (&within["level"], &within["span"]),
            (&json!("WARN"), &json!({ "server": "a" }))
        );
        assert_eq!(within["target"], module_path!());
        let time = plain["timestamp"].as_str().and_then(|time| humantime::parse_rfc3339(time).ok());
        assert!(time.is_some(), "{plain}");
    }
}
