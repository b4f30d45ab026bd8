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
