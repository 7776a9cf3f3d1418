import { useEffect, useState } from 'preact/hooks';

/** A phone, or a window as narrow as one; the style sheet asks for the same. */
export const narrow = window.matchMedia('(max-width: 720px)');

export function useMedia(media: MediaQueryList): boolean {
  const [matches, setMatches] = useState(media.matches);
  useEffect(() => {
    const update = (): void => setMatches(media.matches);
    media.addEventListener('change', update);
    return () => media.removeEventListener('change', update);
  }, [media]);
  return matches;
}
