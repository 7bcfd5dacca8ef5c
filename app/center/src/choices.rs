use assent_consent::{
    Category,
    notice::{NoticeCategory, NoticeItem, NoticeService, Texts},
};
use leptos::prelude::*;

use crate::{
    document::web_address,
    icon::{self, Icon},
    page::CenterPage,
};

/// The form with the four categories. Save comes first in the document, so that Enter saves.
pub(crate) fn form(page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    let granted = page
        .current
        .as_ref()
        .map_or(page.before_choice, |current| current.granted);
    let categories = page
        .categories
        .iter()
        .map(|category| card(category, granted.has(category.id), texts))
        .collect_view();
    view! {
        <form class="choices" method="post" action=page.action.to_owned()>
            {hidden(page)}
            {categories}
            <div class="actions">
                {decision("save", &texts.center_save)}
                {decision("accept", &texts.accept_all)}
                {decision("reject", &texts.reject_all)}
            </div>
        </form>
    }
    .into_any()
}

/// Withdrawing everything, apart from the switches: one press, as easy as consenting was.
pub(crate) fn withdraw(page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    view! {
        <section class="card withdraw" aria-label=texts.center_withdraw.clone()>
            <p>{texts.center_withdraw_text.clone()}</p>
            <form method="post" action=page.action.to_owned()>
                {hidden(page)}
                <button class="button danger" name="do" value="withdraw">
                    {texts.center_withdraw.clone()}
                </button>
            </form>
        </section>
    }
    .into_any()
}

fn decision(value: &'static str, label: &str) -> impl IntoView + use<> {
    view! { <button class="button" name="do" value=value>{label.to_owned()}</button> }
}

fn hidden(page: &CenterPage<'_>) -> AnyView {
    page.hidden
        .iter()
        .map(|(name, value)| {
            view! { <input type="hidden" name=(*name).to_owned() value=value.clone() /> }
        })
        .collect_view()
        .into_any()
}

fn card(category: &NoticeCategory, granted: bool, texts: &Texts) -> AnyView {
    let id = category.id.id();
    let text_id = format!("{id}-text");
    let head = if category.id == Category::Necessary {
        view! {
            <h2>{category.label.clone()}</h2>
            <p class="always">{icon::draw(Icon::Check)}<span>{texts.always_active.clone()}</span></p>
        }
        .into_any()
    } else {
        view! {
            <h2><label for=id>{category.label.clone()}</label></h2>
            <input class="switch" type="checkbox" role="switch" id=id name=id value="on"
                checked=granted aria-describedby=text_id.clone() />
        }
        .into_any()
    };
    view! {
        <section class="card category">
            <div class="head">{head}</div>
            <p id=text_id>{category.text.clone()}</p>
            {services(category, texts)}
        </section>
    }
    .into_any()
}

fn services(category: &NoticeCategory, texts: &Texts) -> AnyView {
    if category.services.is_empty() {
        return view! { <p class="none">{texts.no_services.clone()}</p> }.into_any();
    }
    let count = category.services.len();
    let services = category
        .services
        .iter()
        .map(|entry| service(entry, texts))
        .collect_view();
    view! {
        <details>
            <summary>
                {icon::draw(Icon::Chevron)}
                <span>{format!("{} ({count})", texts.services_heading)}</span>
                <span class="unseen">{format!(" – {}", category.label)}</span>
            </summary>
            <ul class="services">{services}</ul>
        </details>
    }
    .into_any()
}

fn service(service: &NoticeService, texts: &Texts) -> AnyView {
    let policy = web_address(&service.policy_url).map(|address| {
        view! {
            " · "
            <a href=address rel="noreferrer">
                {texts.provider_policy.clone()}
                <span class="unseen">{format!(" – {}", service.name)}</span>
            </a>
        }
    });
    let items = (!service.items.is_empty()).then(|| {
        let items = service
            .items
            .iter()
            .map(|entry| item(entry, texts))
            .collect_view();
        view! { <ul class="items">{items}</ul> }
    });
    view! {
        <li>
            <h3>{service.name.clone()}</h3>
            <p class="by">
                {format!("{}: {}", texts.item_provider, service.provider)}
                {policy}
            </p>
            <p>{service.purpose.clone()}</p>
            {items}
        </li>
    }
    .into_any()
}

fn item(item: &NoticeItem, texts: &Texts) -> AnyView {
    view! {
        <li>
            <p class="name"><code>{item.name.clone()}</code></p>
            <dl>
                <div><dt>{texts.item_purpose.clone()}</dt><dd>{item.purpose.clone()}" "{item.note.clone()}</dd></div>
                <div><dt>{texts.item_lifetime.clone()}</dt><dd>{item.lifetime.clone()}</dd></div>
                <div><dt>{texts.item_kind.clone()}</dt><dd>{item.kind.clone()}</dd></div>
            </dl>
        </li>
    }
    .into_any()
}
