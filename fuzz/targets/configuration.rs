//! Any configuration: it is refused, with the field's name, or all that is made of it fits the gate.
#![no_main]

use assent_consent::{
    Category,
    site::{GATE_LIST_LEN_MAX, ItemKind, SiteConfig},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(config) = serde_json::from_slice::<SiteConfig>(text) else {
        return;
    };
    let faults = config.faults();
    assert!(
        faults
            .iter()
            .all(|fault| !fault.field.is_empty() && !fault.problem.is_empty())
    );
    assert_eq!(config.check().is_ok(), faults.is_empty());
    assert!(!config.widens(&config), "nothing is wider than itself");
    let _ = config.rule_for(Some("DE"));
    let lists = [
        config.erase_list(&[ItemKind::Cookie]),
        config.erase_list(&[ItemKind::LocalStorage, ItemKind::SessionStorage]),
        config.host_list(),
    ];
    if !faults.is_empty() {
        return;
    }
    for list in lists {
        assert!(list.len() <= GATE_LIST_LEN_MAX);
        for entry in list.split(' ').filter(|entry| !entry.is_empty()) {
            let mark = entry.as_bytes()[0];
            assert!((b'0'..=b'o').contains(&mark), "{entry}: a category or a slot");
            assert!(entry.len() > 1, "an entry has a name");
        }
    }
    let written = serde_json::to_vec(&config).expect("a configuration serialises");
    let read: SiteConfig = serde_json::from_slice(&written).expect("what is written reads back");
    assert_eq!(read, config);
    assert!(config.used_categories().bits() < 1 << Category::ALL.len());
});
