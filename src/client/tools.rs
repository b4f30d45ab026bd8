//! `tools/list` and `tools/call`, as far as both eras share them.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;

use super::{error::Refusal, message::Params, payload::SERVER_INFO, trace};
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

/// The result of `tools/list`: a slice of the list that was written when it last changed.
pub(super) fn list(
    list: &List,
    params: &Params,
    page_size: usize,
    is_modern: bool,
) -> Result<Vec<Bytes>, Refusal> {
    let cursor = params.string("cursor")?;
    let after = cursor.as_deref().map(decode_cursor).transpose()?;
    let page = list.page(after.as_deref(), page_size);
    let head: &'static [u8] =
        if is_modern { br#"{"resultType":"complete","tools":["# } else { br#"{"tools":["# };
    let mut tail = String::from("]");
    if let Some(name) = &page.more_after {
        tail.push_str(&format!(r#","nextCursor":"{}""#, encode_cursor(name)));
    }
    if is_modern {
        // Tools come and go with their providers, so nobody may keep the list: listen instead.
        tail.push_str(
            &[r#","ttlMs":0,"cacheScope":"private","_meta":{"#, SERVER_INFO, "}"].concat(),
        );
    }
    tail.push('}');
    Ok(vec![Bytes::from_static(head), page.tools, tail.into()])
}

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
