//! The wordings that visitors meet: built in for some languages, replaced by the owner's where given.

use assent_center::RightsTexts;
use assent_consent::{
    notice::Texts,
    site::{ConfigError, SiteConfig},
};

use crate::negotiate::primary;

const BUILT_IN: [(&str, &str); 3] = [
    ("en", include_str!("../../app/texts/en.json")),
    ("de", include_str!("../../app/texts/de.json")),
    ("fr", include_str!("../../app/texts/fr.json")),
];

const RIGHTS: [(&str, &str); 3] = [
    ("en", include_str!("../../app/texts/rights/en.json")),
    ("de", include_str!("../../app/texts/rights/de.json")),
    ("fr", include_str!("../../app/texts/rights/fr.json")),
];

/// The wordings of the pages about a visitor's rights, with their language: the one wanted if it is built in, else
/// English. They are pages of their own, so no page mixes two languages.
///
/// # Errors
/// Never for what is built in.
pub(crate) fn rights(language: &str) -> Result<(&'static str, RightsTexts), serde_json::Error> {
    let [english, ..] = RIGHTS;
    let (language, json) = RIGHTS
        .into_iter()
        .find(|(tag, _)| tag.eq_ignore_ascii_case(primary(language)))
        .unwrap_or(english);
    Ok((language, serde_json::from_str(json)?))
}

/// The wordings of a site in one language.
///
/// A language that is not built in needs every wording from the owner: a banner in two languages at once
/// informs nobody.
///
/// # Errors
/// An override whose key is unknown, or a language with wordings missing.
pub(crate) fn of(config: &SiteConfig, language: &str) -> Result<Texts, ConfigError> {
    let own = config.texts.get(language);
    let built_in = BUILT_IN
        .iter()
        .find(|(tag, _)| tag.eq_ignore_ascii_case(primary(language)));
    let Some((_, json)) = built_in else {
        let problem = |problem: String| ConfigError {
            field: format!("texts.{language}"),
            problem,
        };
        let own = own.ok_or_else(|| problem("is needed: this language is not built in".to_owned()))?;
        let own: serde_json::Map<_, _> = own
            .iter()
            .map(|(key, text)| (key.clone(), serde_json::Value::from(text.as_str())))
            .collect();
        return serde_json::from_value(own.into())
            .map_err(|error| problem(format!("this language is not built in: {error}")));
    };
    let mut texts: Texts = serde_json::from_str(json).map_err(|error| ConfigError {
        field: format!("texts.{language}"),
        problem: format!("the built-in wordings cannot be read: {error}"),
    })?;
    for (key, text) in own.into_iter().flatten() {
        if !texts.replace(key, text) {
            return Err(ConfigError {
                field: format!("texts.{language}.{key}"),
                problem: "is not the key of any wording".to_owned(),
            });
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::demo;

    #[test]
    fn every_built_in_language_is_complete() {
        let config = demo::config().unwrap();
        for (language, _) in BUILT_IN {
            assert!(
                !of(&config, language).unwrap().accept_all.is_empty(),
                "{language}"
            );
        }
    }

    #[test]
    fn rights_are_said_in_every_built_in_language_and_else_in_english() {
        for (language, expected) in [
            ("en-GB", "en"),
            ("DE", "de"),
            ("fr-CA", "fr"),
            ("is", "en"),
            ("", "en"),
        ] {
            assert_eq!(rights(language).unwrap().0, expected);
        }
    }

    #[test]
    fn overrides_replace_and_unknown_keys_are_refused() {
        let mut config = demo::config().unwrap();
        let texts = |key: &str| {
            BTreeMap::from([(
                "en".to_owned(),
                BTreeMap::from([(key.to_owned(), "Fine".to_owned())]),
            )])
        };
        config.texts = texts("accept_all");
        assert_eq!(
            of(&config, "en-GB").unwrap().accept_all,
            of(&config, "de").map(|_| "Accept all").unwrap()
        );
        assert_eq!(of(&config, "en").unwrap().accept_all, "Fine");
        config.texts = texts("acept_all");
        assert_eq!(of(&config, "en").unwrap_err().field, "texts.en.acept_all");
    }

    #[test]
    fn a_language_that_is_not_built_in_needs_all_wordings() {
        let config = demo::config().unwrap();
        assert_eq!(of(&config, "is").unwrap_err().field, "texts.is");
    }
}
