//! One request for a page by `wasi:http`. The hub decides which hosts may be reached.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingRequest, RequestOptions,
    Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;

use crate::address::Address;

/// How much of a page is read, in bytes.
pub const MAX_BODY: usize = 5 << 20;
/// How much is asked for at once, in bytes.
const CHUNK: u64 = 64 << 10;
/// How much is read between two reports of progress, in bytes.
const REPORT: usize = 256 << 10;
/// How long a server may take to be reached, to begin, and to go on, in nanoseconds.
const TIMEOUT: u64 = 15_000_000_000;
const USER_AGENT: &str = concat!("mcp-hub-web-page/", env!("CARGO_PKG_VERSION"));

pub struct Response {
    pub status: u16,
    /// Where a redirection leads.
    pub location: Option<String>,
    pub content_type: String,
    response: IncomingResponse,
}

/// Asks for a page and waits until the answer begins.
pub fn get(address: &Address) -> Result<Response, String> {
    let headers = [
        ("accept", "text/html,application/xhtml+xml,text/*;q=0.9,application/json;q=0.8,*/*;q=0.1"),
        // There is no room here for what unpacks other encodings.
        ("accept-encoding", "identity"),
        ("user-agent", USER_AGENT),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let headers = Fields::from_list(&headers).map_err(|error| error.to_string())?;
    let request = OutgoingRequest::new(headers);
    let scheme = if address.is_https() { Scheme::Https } else { Scheme::Http };
    let refused = |()| "the hub refuses this address".to_owned();
    request.set_method(&Method::Get).map_err(refused)?;
    request.set_scheme(Some(&scheme)).map_err(refused)?;
    request.set_authority(Some(address.authority())).map_err(refused)?;
    request.set_path_with_query(Some(&address.path_and_query())).map_err(refused)?;

    let options = RequestOptions::new();
    // A host that cannot do one of these has limits of its own.
    let _ = options.set_connect_timeout(Some(TIMEOUT));
    let _ = options.set_first_byte_timeout(Some(TIMEOUT));
    let _ = options.set_between_bytes_timeout(Some(TIMEOUT));

    let pending =
        outgoing_handler::handle(request, Some(options)).map_err(|code| explain(&code))?;
    pending.subscribe().block();
    let response = match pending.get() {
        Some(Ok(response)) => response.map_err(|code| explain(&code))?,
        _ => return Err("the hub gave no answer".to_owned()),
    };
    let headers = response.headers();
    let header = |name: &str| {
        let values = headers.get(name);
        values.first().map(|value| String::from_utf8_lossy(value).trim().to_owned())
    };
    if let Some(encoding) = header("content-encoding").filter(|name| name != "identity") {
        return Err(format!("the page comes packed as {encoding}, unasked, and cannot be read"));
    }
    let (location, content_type) = (header("location"), header("content-type"));
    let length = header("content-length").and_then(|length| length.parse().ok());
    drop(headers);
    if length.is_some_and(|length: usize| length > MAX_BODY) {
        return Err(format!("the page has more than {} MiB", MAX_BODY >> 20));
    }
    let (status, content_type) = (response.status(), content_type.unwrap_or_default());
    Ok(Response { status, location, content_type, response })
}

impl Response {
    /// Reads the page. `progress` hears how many bytes there are so far.
    pub fn body(&self, progress: impl Fn(usize)) -> Result<Vec<u8>, String> {
        let body: IncomingBody =
            self.response.consume().map_err(|()| "the page was read already".to_owned())?;
        let stream = body.stream().map_err(|()| "the page was read already".to_owned())?;
        let mut bytes = Vec::new();
        let mut told = 0;
        loop {
            match stream.blocking_read(CHUNK) {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => {
                    bytes.extend_from_slice(&chunk);
                    if bytes.len() > MAX_BODY {
                        return Err(format!("the page has more than {} MiB", MAX_BODY >> 20));
                    }
                    if bytes.len() - told >= REPORT {
                        told = bytes.len();
                        progress(told);
                    }
                }
                Err(StreamError::Closed) => return Ok(bytes),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(match http_error_code(&error) {
                        Some(code) => explain(&code),
                        None => format!("the page broke off: {}", error.to_debug_string()),
                    });
                }
            }
        }
    }
}

/// What a model can act upon.
fn explain(code: &ErrorCode) -> String {
    match code {
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            "there is no host of this name".into()
        }
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            "the host cannot be reached, or there is none of this name".into()
        }
        ErrorCode::HttpRequestDenied => "the hub does not let this plugin reach that host".into(),
        ErrorCode::DestinationIpProhibited => {
            "the host's address is private, and the hub does not let this plugin reach it".into()
        }
        ErrorCode::ConnectionRefused => "the host refuses connections".into(),
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::HttpResponseTimeout => "the host does not answer in time".into(),
        ErrorCode::TlsCertificateError => "the host's certificate is not valid".into(),
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            "no secure connection to the host came about".into()
        }
        ErrorCode::InternalError(Some(why)) => why.clone(),
        code => format!("{code:?}"),
    }
}
