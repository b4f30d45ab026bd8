//! The hub's answer to one request: JSON, or a stream of notices that ends with it.

use futures_util::StreamExt;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use sse_stream::SseByteStream;

use super::failure::{Failure, RpcError};
use crate::model::error::innermost;

/// What is heard of a call before its result.
#[derive(Debug, PartialEq)]
pub(super) enum Notice {
    Progress(Progress),
    Log(Log),
}

#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Progress {
    pub(super) progress: f64,
    pub(super) total: Option<f64>,
    pub(super) message: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Log {
    pub(super) level: String,
    pub(super) logger: Option<String>,
    #[serde(default)]
    pub(super) data: Value,
}

#[derive(Deserialize)]
struct Message {
    id: Option<Value>,
    method: Option<String>,
    params: Option<Box<RawValue>>,
    result: Option<Box<RawValue>>,
    error: Option<RpcError>,
}

pub(super) async fn read(
    response: Response,
    id: u64,
    token_shown: bool,
    hear: &mut (dyn FnMut(Notice) + Send),
) -> Result<Box<RawValue>, Failure> {
    let status = response.status();
    let kind = header(&response, CONTENT_TYPE).unwrap_or_default();
    if status.is_success() && kind.starts_with("text/event-stream") {
        return stream(response, id, hear).await;
    }
    let url = response.url().clone();
    let location = header(&response, LOCATION);
    let retry_after = header(&response, RETRY_AFTER);
    let body = response.bytes().await.map_err(|error| Failure::transport(&url, error))?;
    let message = serde_json::from_slice::<Message>(&body).ok();
    let (result, error) = message.map_or((None, None), |message| (message.result, message.error));
    match (result, error, status) {
        (Some(result), _, _) if status.is_success() => Ok(result),
        (_, error, StatusCode::UNAUTHORIZED) if token_shown => {
            Err(Failure::TokenRefused(said(error)))
        }
        (_, error, StatusCode::UNAUTHORIZED) => Err(Failure::TokenMissing(said(error))),
        (_, error, StatusCode::FORBIDDEN) => Err(Failure::Forbidden(said(error))),
        (_, error, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
            Err(Failure::Busy { message: said(error), retry_after })
        }
        (_, Some(error), _) => Err(Failure::Rpc(error)),
        (..) => {
            let what = match location {
                Some(location) => format!("it points to {location}"),
                None if status.is_success() => format!("its answer is \"{kind}\", not JSON-RPC"),
                None => format!("status {status}"),
            };
            Err(Failure::NotAHub { url, what })
        }
    }
}

fn header(response: &Response, name: HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

fn said(error: Option<RpcError>) -> String {
    error.map(|error| error.message).unwrap_or_default()
}

async fn stream(
    response: Response,
    id: u64,
    hear: &mut (dyn FnMut(Notice) + Send),
) -> Result<Box<RawValue>, Failure> {
    let mut events = SseByteStream::new(response.bytes_stream());
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| Failure::Broken(innermost(&error)))?;
        let Some(data) = event.data else { continue };
        let message: Message = serde_json::from_str(&data)
            .map_err(|error| Failure::Broken(format!("the hub sent a faulty message: {error}")))?;
        match message {
            Message { method: Some(method), params: Some(params), .. } => {
                notice(&method, &params).into_iter().for_each(&mut *hear);
            }
            // Errors about no request in particular come without an id.
            Message { id: Some(other), .. } if other != id => {}
            Message { result: Some(result), .. } => return Ok(result),
            Message { error: Some(error), .. } => return Err(Failure::Rpc(error)),
            _ => {}
        }
    }
    Err(Failure::Broken("the stream ended".into()))
}

fn notice(method: &str, params: &RawValue) -> Option<Notice> {
    match method {
        "notifications/progress" => serde_json::from_str(params.get()).ok().map(Notice::Progress),
        "notifications/message" => serde_json::from_str(params.get()).ok().map(Notice::Log),
        _ => None,
    }
}
