//! `tools/list` and `tools/call`, as far as both eras share them.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;

use super::{error::Refusal, message::Params, payload::server_info, trace};
use crate::{
    hub::view::List,
    model::{
        call::{Call, Member},
        client::ClientEra,
        tool::ToolName,
    },
};

/// Marks a cursor as one of this hub's.
const CURSOR_MARK: &str = "after:";

/// The result of `tools/list`, in pieces: a slice of the list that was written when it last changed.
pub(super) fn list(
    list: &List,
    params: &Params,
    page_size: usize,
    is_modern: bool,
) -> Result<[Bytes; 5], Refusal> {
    let cursor = params.string("cursor")?;
    let after = cursor.as_deref().map(decode_cursor).transpose()?;
    let page = list.page(after.as_deref(), page_size);
    let more = page.more_after.map_or_else(Bytes::new, |name| {
        format!(r#","nextCursor":"{}""#, encode_cursor(&name)).into()
    });
    let [head, tail] = if is_modern { MODERN_LIST } else { LEGACY_LIST };
    let of = |text: &'static str| Bytes::from_static(text.as_bytes());
    Ok([of(head), page.tools, of("]"), more, of(tail)])
}

/// What stands before the tools of a list, and after what follows them.
const LEGACY_LIST: [&str; 2] = [r#"{"tools":["#, "}"];
/// Tools come and go with their providers, so nobody may keep the list: listen instead.
const MODERN_LIST: [&str; 2] = [
    r#"{"resultType":"complete","tools":["#,
    concat!(r#","ttlMs":0,"cacheScope":"private","_meta":{"#, server_info!(), "}}"),
];

/// A page ends with a name, and the next goes on after it, whatever has changed meanwhile.
pub(crate) fn encode_cursor(name: &ToolName) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{CURSOR_MARK}{name}"))
}

pub(crate) fn decode_cursor(cursor: &str) -> Result<String, Refusal> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let name = text.as_deref().and_then(|text| text.strip_prefix(CURSOR_MARK));
    name.map(str::to_owned).ok_or_else(|| {
        Refusal::invalid_params("the cursor is none this hub gave out; list from the start".into())
    })
}

/// The call a request asks for, as far as both eras know it: answers to a provider's questions are
/// parameters in the modern one only. `meta` is what the provider learns of the client.
pub(super) fn call(
    tool: Box<str>,
    params: &Params,
    headers: &HeaderMap,
    mut meta: Vec<Member>,
    era: ClientEra,
) -> Result<Call, Refusal> {
    trace::complete(&mut meta, headers);
    Ok(Call { tool, arguments: params.object("arguments")?, meta, era, ..Call::default() })
}
