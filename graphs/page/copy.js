for (const button of document.querySelectorAll("button[data-of]")) {
  const said = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.of).textContent.trim());
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser does not let it be copied";
    }
    setTimeout(() => { button.textContent = said; }, 2000);
  });
}
