// A list in localStorage, which all windows of this browser share. Where storage is full or forbidden it lasts as long as
// the page.

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing on plain http
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Stored {
  constructor(storageKey) {
    this.storageKey = storageKey;
  }

  entries() {
    try {
      return JSON.parse(localStorage.getItem(this.storageKey)) || [];
    } catch {
      return this.fallback || [];
    }
  }

  write(entries) {
    this.fallback = entries; // storage may be full or forbidden: then it lasts as long as the page
    try {
      localStorage.setItem(this.storageKey, JSON.stringify(entries));
    } catch {
      /* kept in this.fallback */
    }
  }
}
