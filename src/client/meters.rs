//! What is counted of requests to `/mcp`: how many, how they were answered, how many bytes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, HttpBody},
    http::Method,
    response::Response,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use metrics::{Counter, Gauge, counter, gauge};

/// The methods and classes of status that are told apart, as metric labels.
const METHODS: [&str; 4] = ["POST", "GET", "DELETE", "other"];
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Handles that are looked up once.
pub(super) struct Meters {
    requests: [[Counter; CLASSES.len()]; METHODS.len()],
    pub request_bytes: Counter,
    answer_bytes: Counter,
    pub sessions: Gauge,
}

impl Meters {
    pub(super) fn new() -> Self {
        // Counted where it is sent; here it only begins.
        counter!("mcp_hub_list_changed_total").increment(0);
        let of = |method: &'static str| {
            CLASSES.map(
                |class| counter!("mcp_hub_requests_total", "method" => method, "status" => class),
            )
        };
        Self {
            requests: METHODS.map(of),
            request_bytes: counter!("mcp_hub_request_bytes_total"),
            answer_bytes: counter!("mcp_hub_answer_bytes_total"),
            sessions: gauge!("mcp_hub_sessions"),
        }
    }

    /// Counts a request by its answer. The bytes of a stream are counted as they are sent.
    pub(super) fn answered(&self, method: &Method, response: Response) -> Response {
        let named = METHODS.iter().position(|name| *name == method.as_str());
        let class = usize::from(response.status().as_u16() / 100).saturating_sub(2);
        let of_method = &self.requests[named.unwrap_or(METHODS.len() - 1)];
        of_method[class.min(CLASSES.len() - 1)].increment(1);
        if let Some(bytes) = response.body().size_hint().exact() {
            self.answer_bytes.increment(bytes);
            return response;
        }
        let bytes = self.answer_bytes.clone();
        response.map(|body| Body::new(Counted { body, bytes }))
    }
}

/// A body whose bytes are counted on their way.
struct Counted {
    body: Body,
    bytes: Counter,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.bytes.increment(data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
