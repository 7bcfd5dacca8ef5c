//! Cookies of the server's own pages.

use axum::http::{HeaderMap, header};

/// The value of a cookie; the first if there are several of the name.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// A cookie that scripts cannot read. `max_age_s` 0 removes it.
pub(crate) fn write(
    name: &str,
    value: &str,
    path: &str,
    same_site: &str,
    max_age_s: u32,
    secure: bool,
) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}; Max-Age={max_age_s}; HttpOnly; SameSite={same_site}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a-b=1; a=2;c=3".parse().unwrap());
        headers.append(header::COOKIE, "d=4".parse().unwrap());
        assert_eq!(read(&headers, "a"), Some("2"));
        assert_eq!(read(&headers, "d"), Some("4"));
        assert_eq!(read(&headers, "b"), None);
    }
}
