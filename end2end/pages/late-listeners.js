document.addEventListener('DOMContentLoaded', note('external DOMContentLoaded'));
addEventListener('load', note('external load'));
window.onload = note('external onload');
