//! Long lists in pages: a cursor is the key of the last item told, so that a list may change between
//! two pages without an item told twice or left out.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::Problem;

/// Items of a page when nobody says, and at most.
const USUAL: usize = 100;
const MAX: usize = 1_000;

/// What of a list is asked for, where it may be that of one user or of all.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfUsers {
    /// A user to look at, or `*` for all; for admins.
    pub user: Option<String>,
    /// Items per page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// Cuts the page out of `items`, which are sorted by `key`, that a request asks for.
pub(super) fn cut<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    limit: Option<usize>,
    cursor: Option<&str>,
) -> Result<Page<T>, Problem> {
    let limit = checked(limit)?;
    let after = cursor.map(decoded).transpose()?;
    let is_told = |item: &T| after.as_ref().is_some_and(|after| key(item) <= *after);
    let mut rest = items.into_iter().skip_while(is_told);
    let items: Vec<_> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let next = items.last().filter(|_| more).map(|last| encoded(&key(last)));
    Ok(Page { items, next })
}

fn checked(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(USUAL);
    if (1..=MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::bad_request(format!("`limit` is {limit}; it must be from 1 to {MAX}")))
    }
}

fn encoded(key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key)
}

fn decoded(cursor: &str) -> Result<String, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| {
        Problem::bad_request("`cursor` is none this hub gave out; list from the start")
    })
}

/// A key that sorts what is newer first.
pub(super) fn newest_first(number: u64) -> String {
    format!("{:020}", u64::MAX - number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(limit: usize) -> Vec<u64> {
        let (mut told, mut cursor) = (Vec::new(), None);
        loop {
            let items = (0..10).rev();
            let page =
                cut(items, |n| newest_first(*n), Some(limit), cursor.as_deref()).expect("a page");
            told.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return told;
            }
        }
    }

    #[test]
    fn pages_join_up_to_the_whole_list() {
        for limit in 1..=11 {
            assert_eq!(all(limit), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], "pages of {limit}");
        }
    }

    #[test]
    fn bad_limits_and_cursors_are_refused() {
        for (limit, cursor) in
            [(Some(0), None), (Some(1_001), None), (None, Some("é")), (None, Some("/w"))]
        {
            assert!(cut([1], |n| newest_first(*n), limit, cursor).is_err(), "{limit:?} {cursor:?}");
        }
    }
}
