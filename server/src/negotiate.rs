//! Which language and which encoding an answer has, from what the client accepts.

/// How the body of an answer is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// gzip.
    Gzip,
    /// Brotli.
    Brotli,
}

/// The best of brotli, gzip and none that an `Accept-Encoding` header allows.
pub(crate) fn encoding(accept: Option<&str>) -> Encoding {
    let Some(accept) = accept else {
        return Encoding::Identity;
    };
    let allows = |name: &str| {
        let mut any = false;
        for (coding, quality) in ranges(accept) {
            if coding.eq_ignore_ascii_case(name) {
                return quality > 0;
            }
            any |= coding == "*" && quality > 0;
        }
        any
    };
    if allows("br") {
        Encoding::Brotli
    } else if allows("gzip") {
        Encoding::Gzip
    } else {
        Encoding::Identity
    }
}

/// Index of the language that fits best: what the page asks for, else what `Accept-Language` prefers, else 0.
///
/// A tag fits exactly, or by its primary subtag (`de-AT` fits `de`, and `pt` fits `pt-BR`).
pub(crate) fn language(offered: &[String], wanted: Option<&str>, accept: Option<&str>) -> usize {
    if let Some(at) = wanted.and_then(|tag| fit(offered, tag)) {
        return at;
    }
    let mut best: Option<(u16, usize)> = None;
    for (tag, quality) in ranges(accept.unwrap_or_default()) {
        if quality == 0 || best.is_some_and(|(so_far, _)| so_far >= quality) {
            continue;
        }
        let at = if tag == "*" { Some(0) } else { fit(offered, tag) };
        if let Some(at) = at {
            best = Some((quality, at));
        }
    }
    best.map_or(0, |(_, at)| at)
}

fn fit(offered: &[String], tag: &str) -> Option<usize> {
    let exact = offered
        .iter()
        .position(|language| language.eq_ignore_ascii_case(tag));
    exact.or_else(|| {
        let primary = primary(tag);
        offered
            .iter()
            .position(|language| language.eq_ignore_ascii_case(primary))
            .or_else(|| {
                offered
                    .iter()
                    .position(|language| self::primary(language).eq_ignore_ascii_case(primary))
            })
    })
}

/// The part of a language tag before the first hyphen.
pub(crate) fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}

/// The entries of a header such as `de-CH;q=0.8, en` with their quality in thousandths; at most 32 are read.
fn ranges(header: &str) -> impl Iterator<Item = (&str, u16)> {
    header.split(',').take(32).filter_map(|entry| {
        let mut parts = entry.split(';');
        let name = parts.next()?.trim();
        let quality = parts
            .find_map(|parameter| parameter.trim().strip_prefix("q="))
            .map_or(1000, thousandths);
        (!name.is_empty()).then_some((name, quality))
    })
}

/// Reads `0.85` as 850. What is not a number from 0 to 1 counts as 0: not wanted.
fn thousandths(text: &str) -> u16 {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let fraction = format!("{fraction:0<3}").parse().unwrap_or(0);
    match whole {
        "1" if fraction == 0 => 1000,
        "0" => fraction,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(accept: &str) -> &'static str {
        let offered = ["en", "de", "fr", "pt-BR"].map(str::to_owned);
        ["en", "de", "fr", "pt-BR"][language(&offered, None, Some(accept))]
    }

    #[test]
    fn the_highest_quality_that_fits_wins() {
        assert_eq!(pick("de-CH, fr;q=0.9"), "de");
        assert_eq!(pick("fr;q=0.5, de;q=0.8"), "de");
        assert_eq!(pick("es, it;q=0.9, fr;q=0.1"), "fr");
        assert_eq!(pick("pt-PT"), "pt-BR");
        assert_eq!(pick("PT-br"), "pt-BR");
        assert_eq!(pick("de;q=0, *;q=0.1"), "en");
        assert_eq!(pick(""), "en");
        assert_eq!(pick("de;q=banana"), "en");
        assert_eq!(pick(";;,,;q="), "en");
    }

    #[test]
    fn what_the_page_asks_for_goes_first() {
        let offered = ["en", "de"].map(str::to_owned);
        assert_eq!(language(&offered, Some("de-AT"), Some("en")), 1);
        assert_eq!(language(&offered, Some("xx"), Some("de")), 1);
    }

    #[test]
    fn encodings_are_only_used_where_accepted() {
        assert_eq!(encoding(None), Encoding::Identity);
        assert_eq!(encoding(Some("gzip, deflate, br, zstd")), Encoding::Brotli);
        assert_eq!(encoding(Some("gzip;q=1.0, br;q=0")), Encoding::Gzip);
        assert_eq!(encoding(Some("*")), Encoding::Brotli);
        assert_eq!(encoding(Some("identity")), Encoding::Identity);
        assert_eq!(encoding(Some("br;q=0, *;q=0.5")), Encoding::Gzip);
    }
}
